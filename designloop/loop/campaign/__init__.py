"""The campaign: its file's layout, what only the whole can tell, the user's molecules, changes, templates."""
