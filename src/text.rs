//! What users read, in Russian and English.
