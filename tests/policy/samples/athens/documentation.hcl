# Everything is elsewhere at first, and here the next time.
downloadURL = "https://proxy.example"
mode = "async_redirect"

download "github.com/gomods/*" {
    mode = "sync"
}

download "golang.org/x/*" {
    mode = "none"
}

download "github.com/pkg/*" {
    mode = "redirect"
    downloadURL = "https://center.example"
}
