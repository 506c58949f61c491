# What to do with modules that are not stored here.
# The manual page says more.

# Clients are sent elsewhere.
downloadURL = "https://proxy.example"

mode = "redirect"

# Uncomment this for modules of your own:
# --------------------------------
# download "github.com/<you>/<your-repository>*" {
# 	mode = "sync"
# }
