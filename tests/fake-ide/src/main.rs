//! `sojourn-fake-ide`: an IDE to try sessions with when there is none.

use clap::Parser;
use sojourn_fake_ide::{FakeIde, Options, certificate};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Port on loopback; 0 lets the system choose
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Token that is wanted
    #[arg(long, default_value = "fake")]
    token: String,
    /// Serve TLS with a certificate that is made now
    #[arg(long)]
    tls: bool,
    /// Want instance ids as the Aspire extension does
    #[arg(long)]
    owners: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let ide = FakeIde::start(Options {
        port: cli.port,
        token: cli.token,
        certificate: cli.tls.then(certificate::good),
        owners: cli.owners,
        lively: true,
        ..Options::default()
    })
    .await?;
    println!("# A fake IDE listens on {}. Point an operator at it with:", ide.address());
    for (name, value) in ide.variables() {
        println!("export {name}='{value}'");
    }
    println!("# Requests, as they come; Ctrl-C ends it:");
    let mut shown = 0;
    loop {
        tokio::select! {
            ended = tokio::signal::ctrl_c() => return Ok(ended?),
            () = ide.more_than(shown) => {}
        }
        for asked in ide.asked().split_off(shown) {
            shown += 1;
            println!("{} {}?{} {}", asked.method, asked.path, asked.query, asked.body);
        }
    }
}
