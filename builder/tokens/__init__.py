"""Tokenizers in Hugging Face's common format: read, checked, and made into what ``modules/tokens.js`` runs."""
