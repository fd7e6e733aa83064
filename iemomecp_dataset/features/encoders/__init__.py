"""Pretrained speech, image and text encoders as feature extractors."""
