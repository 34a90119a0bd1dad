"""The files that people have: what each format holds, and how corrected labels are written back."""
