"""The two hues of every picture of signed values, and of correct and wrong answers."""

Rgb = tuple[int, int, int]

# Apart for colour-blind readers too, and of equal strength on white and on black.
BLUE: Rgb = (33, 113, 196)
ORANGE: Rgb = (222, 107, 20)
