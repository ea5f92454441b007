"""What a campaign found, for people: its best molecules, files of them, and pictures. Import its modules by name."""
