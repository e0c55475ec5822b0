// The peer of bench/service on Go's net/http: the same answer.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
)

type item struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Quantity int    `json:"quantity"`
	InStock  bool   `json:"inStock"`
}

func getItem(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(item{
		ID: strings.TrimPrefix(r.URL.Path, "/items/"), Name: "Mechanical keyboard", Quantity: 42, InStock: true,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(body); err != nil {
		log.Print(err)
	}
}

func main() {
	http.HandleFunc("/items/", getItem)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
