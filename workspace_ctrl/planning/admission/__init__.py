"""What is rejected or warned about: one verdict for admission, plan and the status."""
