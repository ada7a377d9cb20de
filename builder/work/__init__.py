"""Where heavy work runs: processes of this machine, or of a Dask cluster."""
