"""What a motion measures: joint angles and speeds, repetitions, the differences of two recordings."""
