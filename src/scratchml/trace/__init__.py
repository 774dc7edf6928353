"""One inference with every integer written down, by numpy and by the C engine side by side.

``steps`` computes it, ``inference`` says what it stands for, and ``report`` (with ``layer_tables``
and ``layout``) shows it in a terminal.
"""
