"""The container engine: finding it, its images, and running steps and finished layers in it."""
