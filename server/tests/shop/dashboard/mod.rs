//! The console's web pages and what they show: who is let in, the flow, groups of dead letters, and reasons.

mod apart;
mod flow;
mod letters;
mod search;
mod sign_in;
mod why;
