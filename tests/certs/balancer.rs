//! What a Service is to replicas: one address, and a replica for each connection, in turn.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::net::{TcpListener, TcpStream};

/// Listens on loopback and passes connections on to `ports`; one at which nobody listens is passed over.
pub(crate) async fn balance(ports: Vec<u16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let turn = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (ports, turn) = (ports.clone(), turn.clone());
            tokio::spawn(async move {
                for _ in 0..ports.len() {
                    let port = ports[turn.fetch_add(1, Ordering::Relaxed) % ports.len()];
                    if let Ok(mut replica) = TcpStream::connect(("127.0.0.1", port)).await {
                        // Either side may end the connection as it likes.
                        tokio::io::copy_bidirectional(&mut client, &mut replica).await.ok();
                        return;
                    }
                }
            });
        }
    });
    port
}
