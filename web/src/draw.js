// Skeletons on a canvas.

const PEOPLE = ["#4fa8ff", "#ffb03a", "#5fd06c", "#ff7d97", "#b08cff", "#49d6d6"];

/** The region of the clip that is drawn: the image, or the box around everything with a margin. */
export function regionOf(clip) {
  if (clip.imageSize && clip.unit === "pixel")
    return { left: 0, top: 0, width: clip.imageSize[0], height: clip.imageSize[1], flip: false };
  const flip = clip.up === "y" || clip.up === "z" || (clip.up === null && clip.dims === 3);
  const [low, high] = [
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ];
  const vertical = verticalAxis(clip);
  for (let at = 0; at < clip.keypoints.length; at += clip.dims) {
    [0, vertical].forEach((axis, place) => {
      const value = clip.keypoints[at + axis];
      if (value < low[place]) low[place] = value;
      if (value > high[place]) high[place] = value;
    });
  }
  const margin = 0.08 * Math.max(high[0] - low[0], high[1] - low[1], 1e-6);
  const [width, height] = [high[0] - low[0] + 2 * margin, high[1] - low[1] + 2 * margin];
  return { left: low[0] - margin, top: low[1] - margin, width, height, flip };
}

const verticalAxis = (clip) => (clip.up?.endsWith("z") ? 2 : 1);

/** Draws people: `poses` [{pose, number}], in the coordinates of `region`. */
export function drawPeople(canvas, poses, bones, region, vertical) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const scale = Math.min(canvas.width / region.width, canvas.height / region.height);
  const place = (point) => {
    const down = (point[vertical] - region.top) * scale;
    return [(point[0] - region.left) * scale, region.flip ? canvas.height - down : down];
  };
  context.lineWidth = Math.max(2, canvas.width / 220);
  context.lineCap = "round";
  for (const { pose, number } of poses) {
    context.strokeStyle = context.fillStyle = PEOPLE[number % PEOPLE.length];
    context.beginPath();
    for (const [child, parent] of bones) {
      if (child === parent || !pose[child] || !pose[parent]) continue;
      context.moveTo(...place(pose[child]));
      context.lineTo(...place(pose[parent]));
    }
    context.stroke();
    for (const point of pose.filter(Boolean)) {
      context.beginPath();
      context.arc(...place(point), context.lineWidth * 1.1, 0, 7);
      context.fill();
    }
  }
}

/** Draws a frame of a clip. */
export function drawFrame(canvas, clip, frame, region) {
  const poses = [];
  for (let row = 0; row < clip.people; row++) poses.push({ pose: clip.pose(row, frame), number: row });
  drawPeople(canvas, poses, clip.layout.bones, region, verticalAxis(clip));
}
