; Runs Scheme, for guile -c: SOURCE [ARGUMENT...]
;
; The whole source is read first, so that a missing parenthesis is found before anything runs. A line "#lang r5rs" at the
; top, as Racket wants it, and "#!r7rs" is skipped: the file is then read from behind it.
(let* ((main (in-vicinity (getcwd) (cadr (command-line))))
       (first-line (lambda (port)
                     (let loop ((line '()))
                       (let ((c (read-char port)))
                         (if (or (eof-object? c) (char=? c #\newline))
                             (list->string (reverse! line))
                             (loop (cons c line)))))))
       (lang? (let ((line (call-with-input-file main first-line #:encoding "UTF-8")))
                (or (string-prefix? "#lang" line) (string-prefix? "#!r7rs" line))))
       (each-form (lambda (do-it)
                    (let ((port (open-input-file main #:encoding "UTF-8")))
                      (if lang? (first-line port))
                      (let loop ((form (read port)))
                        (if (not (eof-object? form))
                            (begin (do-it form) (loop (read port)))))
                      (close-port port)))))
  ; (import (rnrs)) would warn of each of its names that replaces one of Guile's.
  (default-duplicate-binding-handler '(replace last))
  ; What textbooks use without an import; each module is loaded when a name of it is used.
  (for-each (lambda (names) (module-autoload! (current-module) (car names) (cdr names)))
            '(((ice-9 rdelim) read-line read-string)
              ((srfi srfi-11) let-values let*-values)
              ((scheme base) write-string string-for-each vector-for-each exact-integer?)))
  (set-program-arguments (cdr (command-line)))
  (catch 'read-error
    (lambda () (each-form noop))
    (lambda (key from message args . rest)
      (let ((text (apply format #f message args)))
        (if (or (string-contains text "unexpected end of input") (string-contains text "unexpected \")\"")
                (string-contains text "mismatched close"))
            (begin
              (format (current-error-port) "syntax error: ~a\n" text)
              (primitive-exit 1))))))
  (if lang?
      (each-form primitive-eval)
      (primitive-load main)))
