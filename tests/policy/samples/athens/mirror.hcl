// downloadURL = "https://proxy.example"
downloadURL = "https://mirror.example/goproxy/"

// mode = "async_redirect"
mode = "async"
# mode = "none"

download "github.com/*" {
  mode = "sync"
}

download "golang.org/x/*" {
  mode = "async_redirect"
  // downloadURL = "https://proxy.example"
}

download "go.uber.org/*" {
  mode = "sync" // as all of them
}

download "go.opencensus.io" {
  mode = "sync"
}
