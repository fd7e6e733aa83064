"""Dataset, metric, trainers and benchmark for multimodal emotion-cause pair extraction (placeholder)."""
