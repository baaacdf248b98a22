"""The hues of every picture: blue and orange for signed values, blue and red for correct and wrong predictions."""

Rgb = tuple[int, int, int]

# Apart for colour-blind readers too, and of equal strength on white and on black.
BLUE: Rgb = (33, 113, 196)
ORANGE: Rgb = (222, 107, 20)
RED: Rgb = (220, 50, 60)
