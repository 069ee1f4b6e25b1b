"""The tiny model: `model` has its shapes, `batches` what it learns from, `train` its training, `lesson` an exam."""
