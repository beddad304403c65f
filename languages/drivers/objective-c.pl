# Writes out in Objective-C sources (the arguments) what gcc's runtime does not do by itself for a @property.
#
# Instance variables and @synthesize are added where the program does not have them, in the lines that are there, so that
# messages name the right ones.
undef $/;
for my $file (@ARGV) {
  open my $in, "<", $file or next; $text{$file} = <$in>; close $in;
  # Without ARC a weak reference is a plain one.
  $text{$file} =~ s/(\@property\s*\([^)]*\b)weak\b/$1assign/g;
  $text{$file} =~ s/\b__weak\b//g;
  # A block is no object for this runtime: it cannot be retained or copied by a message.
  $text{$file} =~ s/(\@property\s*\([^)]*)\b(?:copy|strong|retain)\b([^)]*\)[^;]*\(\^)/$1assign$2/g;
  while ($text{$file} =~ /\@interface\s+(\w+)([^\n]*)(.*?)\@end/sg) {
    my ($class, $body) = ($1, $2 . $3);
    while ($body =~ /\@property\s*(\([^)]*\))?\s*([^;]+);/sg) {
      my ($attributes, $declaration) = ($1 // "", $2);
      next if $attributes =~ /\bclass\b/;
      if ($declaration =~ /\(\^\s*(\w+)\s*\)/) {
        my $name = $1;
        (my $variable = $declaration) =~ s/\(\^\s*\w+\s*\)/(^_$name)/;
        push @{ $properties{$class} }, [$name, $variable];
      } elsif ($declaration =~ /^(.*[\s*>])(\w+)\s*$/s) {
        push @{ $properties{$class} }, [$2, "$1_$2"];
      }
    }
  }
}
my $all = join "\n", values %text;
for my $file (keys %text) {
  my $old = $text{$file};
  $text{$file} =~ s/(\@interface\s+(\w+)\s*(?:<[^>]*>)?\s*:\s*\w+(?:\s*<[^>{]*>)?)(\s*)(\{[^}]*\})?/
    my ($head, $class, $space, $braces) = ($1, $2, $3, $4 || "");
    my $more = join " ", map { $braces =~ m#\b_$_->[0]\b# || $all =~ m#\@(?:synthesize|dynamic)[^;]*\b$_->[0]\b# ? () : "$_->[1];" } @{ $properties{$class} || [] };
    $more =~ s#\s*\n\s*# #g;
    $more eq "" ? "$head$space$braces" : $braces ? $head . $space . "{ \@protected $more " . substr($braces, 1) : "$head { $more }$space"
  /gex;
  $text{$file} =~ s/(\@implementation\s+(\w+))(\s*(?!\s*\())/
    my ($head, $class, $space) = ($1, $2, $3);
    my $more = join " ", map { $all =~ m#\@(?:synthesize|dynamic)[^;]*\b$_->[0]\b# ? () : "\@synthesize $_->[0] = _$_->[0];" } @{ $properties{$class} || [] };
    $more eq "" ? "$head$space" : "$head $more$space"
  /gex;
  next if $text{$file} eq $old;
  open my $out, ">", $file or die "$file: $!"; print $out $text{$file}; close $out;
}
