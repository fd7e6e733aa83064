"""Space with the metric's card and a form that computes it, both by the widget of ``evaluate``."""

import evaluate
from evaluate.utils import launch_gradio_widget

import iemomecp_dataset.metrics  # noqa: F401  # makes the name known

launch_gradio_widget(evaluate.load("iemomecp_explanations", keep_in_memory=True))
