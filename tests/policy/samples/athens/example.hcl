# Everything is fetched, except what the blocks name.
downloadURL = "https://proxy.example"
mode = "sync"

download "github.com/gomods/*" {
    mode = "async_redirect"
}

download "golang.org/x/*" {
    mode = "none"
}

download "github.com/pkg/*" {
    mode = "redirect"
    downloadURL = "https://center.example"
}
