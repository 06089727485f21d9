//go:build tools

// Package tools pins the registry of the node, and the tool that fills it.
package tools

import _ "github.com/google/go-containerregistry/cmd/crane"
