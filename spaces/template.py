"""What does a new space file look like? The one that `python -m search init` writes."""

from __future__ import annotations

from spaces.scalars import written

_TEMPLATE = """\
# What to search. Check it with `python -m search check FILE`, and start with `python -m search run FILE`.
study: {name}

# Who trains: a trainer that is built in (image, tabular), or code of your own:
#   trainer: train.py:train     your whole loop, train(params, run)
#   model: net.py:build         your model, build(params, data); training is done for you
trainer: image

# Where the data comes from; paths are relative to this file:
#   source: digits · source: data.py:load · csv: table.csv (with label: price) · npz: file.npz · images: folder
data:
  source: digits
  validation: 0.2

objective: {{maximize: val_accuracy}}
budget: {{trials: 30, epochs: 15}}      # time: 2h would end the search after two hours at the latest

space:
  # Fixed: a plain value.
  batch_size: 32

  # A number between two ends, both included. log: for what spans orders of magnitude. prior: where you would start.
  learning_rate: {{float: [1e-4, 1e-1], log: true, prior: 1e-3}}

  # One of several; what stands under a word is searched only with that word.
  optimizer:
    choice:
      adam: {{}}
      sgd: {{momentum: {{float: [0.0, 0.99]}}}}

  # Used at all, or not.
  augment:
    optional:
      rotation: {{float: [0.0, 0.1]}}
      translation: {{float: [0.0, 0.1]}}

  # From one to three convolution blocks, each with values of its own.
  layers:
    repeat: [1, 3]
    each:
      filters: {{int: [16, 64], log: true}}
      activation: {{choice: [relu, gelu, silu]}}
      dropout: {{float: [0.0, 0.4], step: 0.1}}
"""


def template(name: str) -> str:
    """Return a commented space file for a study called `name`, ready to run and to change."""
    return _TEMPLATE.format(name=written(name))
