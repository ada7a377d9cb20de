"""What a model's outputs mean: classes, boxes, a mask, points, a vector; the reference for what pages compute."""
