"""Constants of the torch and the NumPy form of pose normalisation (SPECS 2.3, 9.3)."""

IMAGE_UNIT = 0.5  # length of the longest side of the trunk in an image (CV-MIM's official code)

# Below these the official pre-processing of 2s-AGCN and UNIK does not rotate.
SMALLEST_AXIS = 1e-6
SMALLEST_ANGLE = 1e-6
