"""Every layer of Keras 3 and Keras 2 in every form of file, converted and run; see ``run`` and ``judge``."""
