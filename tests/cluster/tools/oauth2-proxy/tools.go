//go:build tools

// Package tools pins the login proxy of sessions.
package tools

import _ "github.com/oauth2-proxy/oauth2-proxy/v7"
