"""What a sample is turned into before anything is measured: transformers as scikit-learn has them."""
