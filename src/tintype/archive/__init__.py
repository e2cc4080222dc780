"""An archive: a million scans, many machines, and a ledger of what became of each.

A run is a stream over Ray Data: ``listing`` names the scans, ``todo`` leaves out what the
``ledger`` knows as done, ``worker`` reads, colours and writes, and ``run`` enters what comes back.
``places`` are folders and buckets, the ``lease`` keeps two runs apart, ``records`` tells other
machines what a run is doing, ``status`` counts and ``sample`` predicts. Only ``cluster`` knows Ray.
"""
