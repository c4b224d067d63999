//! Who may open the admin pages.
