package Report;

# Numbers of a measure, kept for bench/report, which writes bench/results/.
#
#   my $report = report_begin('versus', rounds => 15);
#   report_row($report, name => '...', anything => [...]);
#   report_end($report);             only now they take the place of the last

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(make_path);
use FindBin;
use JSON::PP ();
use POSIX ();

our @EXPORT = qw(report_begin report_row report_end report_read);

my $dir = "$FindBin::Bin/../build/bench/results";
my $json = JSON::PP->new->canonical->pretty;


sub report_begin {
    my ($name, %set) = @_;

    return { name => $name, set => \%set, rows => [],
             date => POSIX::strftime('%Y-%m-%d', gmtime),
             load => [load_average()], machine => machine(),
             versions => versions() };
}


sub report_row {
    my ($report, %row) = @_;

    push @{ $report->{rows} }, \%row;
    push @{ $report->{load} }, load_average();
}


sub report_end {
    my ($report) = @_;

    make_path($dir);
    open my $out, '>', "$dir/$report->{name}.json"
        or die "$dir/$report->{name}.json: $!\n";
    print $out $json->encode($report);
    close $out or die "$dir/$report->{name}.json: $!\n";
}


# What was kept last, or nothing.
sub report_read {
    my ($name) = @_;

    open my $in, '<', "$dir/$name.json" or return;
    local $/;
    return $json->decode(<$in>);
}


# Of the last minute: our own processes are part of it.
sub load_average {
    open my $in, '<', '/proc/loadavg' or return 0;
    return 0 + (split ' ', <$in>)[0];
}


sub machine {
    open my $in, '<', '/proc/cpuinfo' or return '';
    my @model = map { /^model name\s*:\s*(.*\S)/ ? $1 : () } <$in>;
    return @model . ' x ' . ($model[0] // 'unknown processor');
}


sub versions {
    my @ask = (
        [nginx => "${\ ($ENV{TEST_NGINX_BINARY} || 'nginx')} -v",
         qr{nginx/(\S+)}],
        [OpenSSL => 'openssl version', qr/OpenSSL (\S+)/],
        [Redis => 'redis-server --version', qr/v=(\S+)/],
        [Node => "$FindBin::Bin/../tools/node --version", qr/v(\S+)/],
        [Apache => 'apache2 -v', qr{Apache/(\S+)}],
        [mod_auth_openidc => 'dpkg-query -W -f \'${Version}\' '
            . 'libapache2-mod-auth-openidc', qr/^([\d.]+)/],
        [jose => "cat $FindBin::Bin/../t/npm/node_modules/jose/package.json",
         qr/"version": "([^"]+)"/],
        [Linux => 'uname -r', qr/^(\d+\.\d+)/],
    );

    return [map {
        my ($name, $command, $pattern) = @$_;
        `$command 2>&1` =~ $pattern ? "$name $1" : ()
    } @ask];
}


1;
