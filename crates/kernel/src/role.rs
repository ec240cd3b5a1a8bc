//! The role that every service knows.

/// Name of the role of those who may do what the admin token may, as events and tables have it.
pub const ADMIN_ROLE: &str = "admin";
