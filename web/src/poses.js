// People in a video or camera by MediaPipe's pose landmarker, whose networks lie in the page's own folder.

import { FilesetResolver, PoseLandmarker } from "@mediapipe/tasks-vision";
import { ShownError } from "./clip.js";
import { layoutNamed, stacked } from "./readers.js";
import { eachBodyOnce, trackPeople } from "./tracking.js";

export const RATE = 15; // frames per second at which videos are looked at
export const MOST_SECONDS = 600;
const MAX_GAP_SECONDS = 1;

let landmarker = null;
let lastTime = 0;

/** Loads the pose network once. `poses`: of web.json. */
export async function loadPoses(poses) {
  if (landmarker) return;
  const bytes = await fetch("./mediapipe/pose_landmarker_full.task").then(
    (answer) => (answer.ok ? answer.arrayBuffer() : null),
    () => null,
  );
  if (!bytes)
    throw new ShownError(
      "The pose network mediapipe/pose_landmarker_full.task cannot be loaded; reload the page, or build it again (make web).",
    );
  const files = await FilesetResolver.forVisionTasks("./mediapipe");
  landmarker = await PoseLandmarker.createFromOptions(files, {
    baseOptions: { modelAssetBuffer: new Uint8Array(bytes), delegate: "CPU" },
    runningMode: "VIDEO",
    numPoses: poses.num_people,
    minPoseDetectionConfidence: poses.find_confidence,
    minPosePresenceConfidence: poses.min_confidence,
    minTrackingConfidence: poses.min_confidence,
  });
}

/** The people in what a video shows now: `{points (pixels or null), confidence}`; guesses outside the image are missing. */
export function peopleIn(video) {
  lastTime += 1000 / RATE; // stamps must ascend, over all recordings
  const found = landmarker.detectForVideo(video, lastTime);
  const [width, height] = [video.videoWidth, video.videoHeight];
  return found.landmarks.map((landmarks) => {
    const inside = landmarks.map(({ x, y }) => x >= 0 && x <= 1 && y >= 0 && y <= 1);
    return {
      points: landmarks.map(({ x, y }, joint) => (inside[joint] ? [x * width, y * height] : null)),
      confidence: landmarks.map(({ visibility }, joint) => (inside[joint] ? (visibility ?? 0) : 0)),
    };
  });
}

/** Detections per frame as a clip, as motionhub.poses.tracks.follow_people. */
export function clipOfDetections(frames, poses, layouts, imageSize) {
  const single = frames.map(eachBodyOnce);
  const owners = trackPeople(
    single.map((people) => people.map((person) => person.points)),
    Math.ceil(MAX_GAP_SECONDS * RATE),
  );
  const counts = new Map();
  owners.flat().forEach((owner) => counts.set(owner, (counts.get(owner) ?? 0) + 1));
  const fewest = Math.min(poses.min_frames, Math.ceil(frames.length / 2));
  const kept = owners.map((row) => row.map((owner) => (counts.get(owner) < fewest ? -1 : owner)));
  const sure = single.map((people) =>
    people.map((person) => ({
      points: person.points.map((point, joint) => (person.confidence[joint] >= poses.joint_confidence ? point : null)),
    })),
  );
  const layout = layoutNamed(poses.layout, layouts);
  // Images are y down; without `up` the processor would look for it, and turn people who do a handstand.
  return stacked(sure, kept, { layout, fps: RATE, unit: "pixel", up: "-y", imageSize });
}

/** Loads a file into a video element; a sentence for what the browser cannot play. */
export function openVideo(video, file) {
  const name = file.name.replace(/\.\w+$/, "");
  return new Promise((done, fail) => {
    const refuse = (reason) =>
      fail(
        new ShownError(
          `${reason} Convert it, for example: ffmpeg -i ${file.name} -c:v libx264 -pix_fmt yuv420p ${name}_h264.mp4`,
        ),
      );
    video.onloadeddata = () => {
      if (!video.videoWidth) refuse(`${file.name} has no picture that this browser plays.`);
      else if (!Number.isFinite(video.duration))
        fail(new ShownError(`${file.name} does not state its length; save it again as MP4.`));
      else done();
    };
    video.onerror = () => refuse(`This browser cannot play ${file.name} (its format or codec).`);
    if (video.src.startsWith("blob:")) URL.revokeObjectURL(video.src);
    video.src = URL.createObjectURL(file);
    video.load();
  });
}

/** Moves a video to a time and waits for its picture. */
export function seek(video, seconds) {
  return new Promise((done, fail) => {
    const timer = setTimeout(
      () =>
        fail(
          new ShownError(`The video stops at ${seconds.toFixed(1)} s; it is cut off or damaged. Convert it again.`),
        ),
      15000,
    );
    video.onseeked = () => (clearTimeout(timer), done());
    video.currentTime = seconds;
  });
}

/** Detections of every frame of an opened video. `isStopped`: ends early; `onFrame(share, people)`. */
export async function detectVideo(video, isStopped, onFrame) {
  const seconds = Math.min(video.duration, MOST_SECONDS);
  const frames = [];
  for (let frame = 0; frame < Math.max(1, Math.floor(seconds * RATE)) && !isStopped(); frame++) {
    await seek(video, (frame + 0.5) / RATE);
    frames.push(peopleIn(video));
    onFrame((frame + 1) / (seconds * RATE), frames.at(-1));
    await new Promise((done) => setTimeout(done));
  }
  return frames;
}

/** Opens the camera; a sentence where it is refused or absent. */
export async function openCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new ShownError(
      "This browser gives no camera to this page: open it by https:// or http://localhost, or drop a video.",
    );
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
  } catch (error) {
    const reasons = {
      NotAllowedError:
        "The camera is not allowed for this page: allow it beside the address of the page, then press the button again, or drop a video.",
      NotFoundError: "No camera was found: connect one, or drop a video.",
      NotReadableError: "The camera is in use by another program: close it, then press the button again.",
    };
    throw new ShownError(reasons[error.name] ?? `The camera cannot be opened (${error.message}); drop a video.`);
  }
  await video.play();
}

export function closeCamera(video) {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}
