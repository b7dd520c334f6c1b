"""Evidence: one file for each kind of reason to believe that a person or a model wrote a record.

`markers` and `declared` read a batch and are stored with the observation. `dated`, `matched` and `style` follow from
other columns; their files hold the weights and the wording that the ``records`` view uses.
"""
