"""Pictures of what a detector found, in the manner of scikit-learn's Display classes, one a file.

The constructor keeps the data, ``plot`` draws it, ``from_estimator`` and ``from_predictions`` do both at once. All take
a detector, a pipeline that ends with one, or a search that fitted one.
"""
