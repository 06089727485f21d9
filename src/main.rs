//! The one binary of Sojourn.

use std::process::ExitCode;

fn main() -> ExitCode {
    match sojourn::cmd::main(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sojourn: {error:#}");
            ExitCode::FAILURE
        }
    }
}
