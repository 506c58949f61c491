"""May this be had, and how? Pure: values and `now` come in, a verdict comes out."""
