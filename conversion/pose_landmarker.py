"""python conversion/pose_landmarker.py OUTPUT_FILE: MediaPipe's two pose networks become one `.task` file.

Needs mediapipe==0.10.21, the last release whose wheel contains networks, in a separate environment. It made
src/motionhub/poses/estimators/pose_landmarker/pose_landmarker_full.task.
"""

import sys
import zipfile
from pathlib import Path

import mediapipe
from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer


# Name in the file -> file in the wheel, and mean and deviation of the pixels as the graphs in the wheel scale them.
NETWORKS = {
    "pose_detector.tflite": ("pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": ("pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}


def main() -> None:
    (output,) = sys.argv[1:]
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as content:
        for name, (file, mean, deviation) in NETWORKS.items():
            network = (Path(mediapipe.__file__).parent / "modules" / file).read_bytes()
            writer = metadata_writer.MetadataWriter.create(bytearray(network))
            writer.add_image_input([mean], [deviation])
            # A date of its own, so that the same networks make the same bytes.
            content.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), bytes(writer.populate()[0]))


if __name__ == "__main__":
    main()
