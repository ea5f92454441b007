"""Scoring on Ray: what starts, watches and ends it, its use, and who can reach it.

``keeper`` is the thread that Ray lives and dies in, ``backend`` sends requests to a ``worker`` on each core and keeps
their deadlines, ``cluster`` says what there is. ``own`` starts a campaign's own Ray, closed to strangers (``listening``
looks at its sockets, ``ray_folder`` holds its files), ``joined`` asks a running one whether it lets strangers in.
``kept_signals`` keeps Ctrl-C and SIGTERM ours.
"""
