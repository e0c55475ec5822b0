set(libraries CURL::libcurl) # sends mail
