"""A Space that shows the metric's card and lets visitors compute it, by the widget of ``evaluate`` itself."""

import evaluate
from evaluate.utils import launch_gradio_widget

import iemomecp_dataset.metrics  # noqa: F401  # makes the name known

launch_gradio_widget(evaluate.load("iemomecp_pair_f1", "3class", keep_in_memory=True))
