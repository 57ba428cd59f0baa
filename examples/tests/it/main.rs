//! The demos as programs: each runs to its end with its rules, from a pipe, whatever comes out of the pipe.

mod demos;
mod rubbish;
mod run;
