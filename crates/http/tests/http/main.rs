//! The crate alone: a few routes behind its shell, asked in process and over sockets.

#![cfg(test)]

mod listener;
mod shell;
mod support;
mod unread;
