"""Jobs on a cluster of workers. Nothing else knows of Dask, and nothing of this is loaded until a cluster is named."""
