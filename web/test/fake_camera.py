"""Writes a video as the raw frames that Chromium takes for a camera: python fake_camera.py VIDEO OUT.y4m."""

import sys

import av


SIZE = (320, 240)
RATE, SECONDS = 10, 4


def main() -> None:
    """Writes the first seconds."""
    with av.open(sys.argv[1]) as video, open(sys.argv[2], "wb") as out:
        out.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{RATE}:1 Ip A1:1 C420mpeg2\n".encode())
        step = max(1, round(float(video.streams.video[0].average_rate) / RATE))
        for number, frame in enumerate(video.decode(video=0)):
            if number >= step * RATE * SECONDS:
                break
            if number % step == 0:
                planes = frame.reformat(*SIZE, format="yuv420p").to_ndarray()
                out.write(b"FRAME\n" + planes.tobytes())


if __name__ == "__main__":
    main()
