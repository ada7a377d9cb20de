"""The development server: answers requests and announces each build."""
