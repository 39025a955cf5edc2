"""What a test of whole programs stands on: namespaces, certificates, ntsd and its peers as processes that end with the test."""
