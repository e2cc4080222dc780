"""Jobs: records in a folder, a queue that carries their numbers, and what does the work.

Nothing here knows HTTP, so a worker on another machine needs only the folder and the queue.
"""
